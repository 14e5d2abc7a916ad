/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shows the host on the bus: an object for the machine and one for each cell,
 * which come, go and change as the model says. */

#include "bus/tree.h"
#include "host-power.h"
#include "host/host.h"

typedef struct HostFaces HostFaces;

/* Both must outlive it. */
int host_faces_new(Tree *tree, Host *host, HostPower *host_power, HostFaces **ret);
HostFaces *host_faces_free(HostFaces *faces);
DEFINE_CLEANUP(HostFaces *, host_faces_free)
