// From client properties (producer.properties, --command-property, ...) to the settings of the client room. Unknown names are let pass, as
// Java's clients do; values that do not fit are INVALID_CONFIG in Kafka's words.
#pragma once

#include <map>
#include <string>

#include "client/consumer.h"
#include "client/producer.h"

namespace samsa::tool {

using ClientProperties = std::map<std::string, std::string>;

Result<client::ProducerConfig> producer_config(const ClientProperties& properties);
Result<client::ConsumerConfig> consumer_config(const ClientProperties& properties);
// "key=value" texts as --property and its likes give them; a missing value is empty.
ClientProperties parse_key_values(const std::vector<std::string>& pairs);

}  // namespace samsa::tool
