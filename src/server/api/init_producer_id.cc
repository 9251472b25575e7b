// InitProducerId for idempotent producers: a fresh id out of a block that the controller gave this shard. Transactional ids belong to
// the transaction coordinator.
#include "protocol/api/init_producer_id.h"

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
      response.error_code = to_wire(ErrorCode::kCoordinatorNotAvailable);
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
    const bool retry = id.error().code == ErrorCode::kNotController || id.error().code == ErrorCode::kRequestTimedOut;
    response.error_code = to_wire(retry ? ErrorCode::kCoordinatorLoadInProgress : id.error().code);
    co_return;
  }
  response.producer_id = *id;
  response.producer_epoch = 0;
}

}  // namespace samsa::server
