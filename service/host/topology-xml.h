/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The host in the XML that libvirt's users read: made from the snapshot, nothing
 * is read for it. xml/capabilities.rng is the schema. */

#include "host.h"

/* <topology>; "nested" groups the cells by socket. */
int topology_to_xml(const Host *host, bool nested, char **ret_xml);

/* <capabilities><host> with UUID, CPU, power management, topology and last-level caches. */
int capabilities_to_xml(const Host *host, char **ret_xml);
