# Generates the messages from src/protocol/api/*.api and src/protocol/record/*.api at build time.
set(SAMSA_PROTOCOL_SOURCES "")
