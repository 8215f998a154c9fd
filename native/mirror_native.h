/*
 * The public C functions of mirror: what Python may call, and nothing else.
 *
 * The text between the two markers is read by cffi as it stands, so it holds plain declarations
 * and integer constants only: no conditionals, no macros with arguments, no includes.
 * Only native/ffi/ includes this file. Every function here is defined in native/ffi/.
 */
#ifndef MIRROR_NATIVE_H
#define MIRROR_NATIVE_H

#include <stddef.h>
#include <stdint.h>

/* cffi: begin */

/* Goes up when a declaration here changes; adapters/native.py refuses another number. */
#define MN_ABI_VERSION 1

int mn_abi_version(void);

/* cffi: end */

#endif
