/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Tells the guests which CPUs the host has, and when these are others: pins are checked
 * against them, and put right when CPUs come back. */

#include "guest/domain.h"
#include "host/host.h"

/* Follows the host until it is freed. Both must be there as long as the other calls. */
int host_cpus_follow(Host *host, Guests *guests);
