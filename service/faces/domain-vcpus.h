/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* org.berth1.Domain.Vcpus, in two files: domain-vcpus.c shows, domain-vcpus-change.c
 * changes. */

#include "bus/tree.h"

/* VcpuChanged, for what the domain has marked. */
extern const FaceHooks domain_vcpus_hooks;
