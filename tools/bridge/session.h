/* SPDX-License-Identifier: GPL-2.0-only */
/* A connection: what a frontend asks for, one message after the other. */
#ifndef BRIDGE_SESSION_H
#define BRIDGE_SESSION_H

#include "device.h"
#include "events.h"

/*
 * Serve the frontend at @sock until it leaves, does what it may not, or the bridge is to
 * end; then nothing is left of it. Returns whether it left in peace. @sock stays open.
 */
bool session_run(int sock, struct events *events, const struct device_setup *setup);

#endif /* BRIDGE_SESSION_H */
