/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "topology-reader.h"

#include <errno.h>
#include <string.h>

int topology_tolerate(TopologyReader *reader, const char *path, int error) {
        const char *what;

        switch (-error) {
        case 0:
        case ENOENT:
        case ENOTDIR:
        case ENODATA:
                return 0;
        case ENOMEM:
                return -ENOMEM;
        case EINVAL:
        case ERANGE:
                what = "what stands in the file makes no sense";
                break;
        case EFBIG:
                what = "the file is far too long";
                break;
        case EXDEV:
        case ELOOP:
                what = "it is a link that leads out of the host's files";
                break;
        default:
                what = strerror(-error);
        }

        findings_add(&reader->topology->findings, "unreadable", SEVERITY_WARNS,
                     "nothing else depends on it; report it to whoever makes this kernel or recorded this host",
                     path, "/%s cannot be used: %s", path, what);
        return 0;
}
