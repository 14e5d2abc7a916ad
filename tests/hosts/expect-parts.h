/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of expected.json that have a file of their own. */

#include "fields.h"

void expect_cells(Context *context, json_object *value);
void expect_cpus(Context *context, json_object *value);
void expect_cpu_kinds(Context *context, json_object *value);
void expect_packages(Context *context, json_object *value);
void expect_dies(Context *context, json_object *value);
void expect_clusters(Context *context, json_object *value);
void expect_caches(Context *context, json_object *value);
void expect_hmat(Context *context, json_object *value);
void expect_summary(Context *context, json_object *value);
void expect_kernel(Context *context, json_object *value);
void expect_identity(Context *context, json_object *value);
