// The room in one include: properties text, the table of settings, the server's own values and the dynamic layers.
#pragma once

#include "config/dynamic.h"
#include "config/properties.h"
#include "config/server_config.h"
#include "config/settings.h"
