/*
 * The number by which the Python side knows that it was built with this C library.
 */
#include "mirror_native.h"

int mn_abi_version(void)
{
    return MN_ABI_VERSION;
}
