// InitProducerId for idempotent producers: a fresh id out of a block that the controller gave this shard. Transactional ids belong to
// the transaction coordinator.
#include "protocol/api/init_producer_id.h"

#include "base/log.h"
#include "protocol/api/allocate_producer_ids.h"
#include "server/api/common.h"
#include "server/controller_call.h"

namespace samsa::server {

namespace {

// The next id of the shard's block; fetches another block first where it is used up.
io::Task<Result<int64_t>> next_producer_id(RequestContext& context) {
  Shard& shard = context.shard;
  const auto turn = co_await shard.producer_id_turn.lock(shard.loop());
  if (shard.next_producer_id >= shard.end_producer_id) {
    protocol::AllocateProducerIdsRequest request;
    request.broker_id = shard.node().id().value;
    request.broker_epoch = co_await shard.node().on_metadata(
        shard.loop(), [](metadata::MetadataNode& metadata) -> io::Task<int64_t> { co_return metadata.broker()->broker_epoch(); });
    const auto timeout = static_cast<int32_t>(shard.settings().request_timeout.count());
    CO_TRY_ASSIGN(const auto block, co_await ask_controller(context, request, &metadata::ControllerRuntime::allocate_producer_ids, timeout));
    if (block.error_code != 0) co_return fail(error_from_wire(block.error_code));
    shard.next_producer_id = block.producer_id_start;
    shard.end_producer_id = block.producer_id_start + block.producer_id_len;
  }
  co_return shard.next_producer_id++;
}

}  // namespace

io::Task<> handle_init_producer_id(RequestContext& context, protocol::InitProducerIdRequest& request,
                                   protocol::InitProducerIdResponse& response) {
  response.producer_id = kNoProducerId;
  response.producer_epoch = kNoProducerEpoch;
  if (request.transactional_id) {
    if (request.transactional_id->empty()) {
      response.error_code = to_wire(ErrorCode::kInvalidRequest);
    } else if (!context.authorized(Operation::kWrite, ResourceType::kTransactionalId, *request.transactional_id)) {
      response.error_code = to_wire(ErrorCode::kTransactionalIdAuthorizationFailed);
    } else {
      // No transactions yet: final for every client, see find_coordinator.cc.
      response.error_code = to_wire(ErrorCode::kTransactionalIdAuthorizationFailed);
      if (context.shard.may_complain()) {
        SAMSA_LOG_WARN("client '{}' at {} asks for transactions (transactional.id {}), which this broker does not coordinate yet",
                       context.client_id(), context.connection.peer.to_string(), request.transactional_id->view());
      }
    }
    co_return;
  }
  const bool both_or_none = (request.producer_id == kNoProducerId) == (request.producer_epoch == kNoProducerEpoch);
  if (!both_or_none) {
    response.error_code = to_wire(ErrorCode::kInvalidRequest);
    co_return;
  }
  const auto id = co_await next_producer_id(context);
  if (!id) {
    // Whatever the controller or the way to it says, the client is to ask again.
    response.error_code = to_wire(ErrorCode::kCoordinatorLoadInProgress);
    co_return;
  }
  response.producer_id = *id;
  response.producer_epoch = 0;
}

}  // namespace samsa::server
