/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/tune.h"

void tune_vcpu_arrived(Domain *domain, uint32_t id) {
}

void tune_all(Domain *domain) {
}

void tune_host_changed(Domain *domain) {
}
