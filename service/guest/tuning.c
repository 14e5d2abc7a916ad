/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "guest/tuning.h"

void tuning_clear(Tuning *tuning) {
}
