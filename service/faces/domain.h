/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What the faces of a guest share. */

#include "bus/tree.h"
#include "guest/domain.h"

/* Below it are the guests' objects. */
#define DOMAINS_PATH "/org/berth1/domains"

/* Details for polkit: domain, uuid, and owner, the user of who made its
 * monitor, which is the VMM unless a manager did. */
int domain_describe(const Face *face, const Method *method, const void *args,
                    int (*add)(void *userdata, const char *name, const char *value), void *userdata);
int domain_add_details(const Domain *domain, int (*add)(void *userdata, const char *name, const char *value), void *userdata);

/* Answers with a document of the running guest, or of what is stored. */
int reply_domain_xml(const Domain *domain, bool live, bool config,
                     int (*to_xml)(const Domain *domain, bool config, char **ret), const Request *request, Error *error);
