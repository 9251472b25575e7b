// The argument of kafka-storage's --add-scram: "SCRAM-SHA-256=[name=alice,password=secret,iterations=8192]", or with salt and
// saltedpassword in base64 instead of a password. Pure but for the salt, which is random where none is given.
#pragma once

#include <string>

#include "base/result.h"
#include "io/random.h"
#include "metadata/format.h"

namespace samsa::tool {

// INVALID_REQUEST in Kafka's words for what is wrong.
Result<metadata::BootstrapScram> parse_scram_argument(std::string text, io::Random& random);

}  // namespace samsa::tool
