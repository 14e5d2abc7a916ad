/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "ctl.h"

void help_all(const Ctl *ctl);
void help_verb(const Ctl *ctl, const Verb *verb);
void help_version(const Ctl *ctl);
