/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Shows the guests on the bus, an object for each, as they come, go and change. */

#include "bus/tree.h"
#include "guest/domain.h"

typedef struct DomainFaces DomainFaces;

/* Both must outlive it. */
int domain_faces_new(Tree *tree, Guests *guests, DomainFaces **ret);
DomainFaces *domain_faces_free(DomainFaces *faces);
DEFINE_CLEANUP(DomainFaces *, domain_faces_free)
