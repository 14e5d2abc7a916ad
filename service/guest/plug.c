/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/plug.h"

void plug_stopped(Domain *domain) {
}
