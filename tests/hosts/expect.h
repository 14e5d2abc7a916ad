/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Holds what the service says about a host against its expected.json. */

#include <json.h>

#include "report.h"
#include "seen.h"

/* The answers of properties and methods. */
void expect_answers(Report *report, json_object *expected, const Seen *seen);

/* The three documents: valid, and saying the same. */
void expect_documents(Report *report, json_object *expected, const Seen *seen);

/* Only that they are valid; for hosts that nobody can have expectations of. */
void expect_valid_documents(Report *report, const Seen *seen);
