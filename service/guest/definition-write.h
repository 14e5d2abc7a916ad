/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The parts of a domain's XML that are written for what is stored and for what runs. */

#include "guest/definition.h"
#include "xml/writer.h"

/* Ours, for what libvirt has no element for. */
#define BERTH_NAMESPACE "urn:berth:domain:1"

/* A set as an attribute; nothing for an empty one. */
void definition_write_set(XmlWriter *writer, const char *attribute, const CpuSet *set);

/* <cputune>, without what is asked of vCPUs from "maximum" on. */
void definition_write_tuning(XmlWriter *writer, const Tuning *tuning, uint32_t maximum);

/* <cpu><numa>. */
void definition_write_cells(XmlWriter *writer, const DefinedCell *cells, size_t n);
