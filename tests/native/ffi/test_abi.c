/* The library says the version that its header says. */
#include "check.h"
#include "mirror_native.h"

int main(void)
{
    RUN("the version of the library is the version of the header");
    CHECK_INT(mn_abi_version(), MN_ABI_VERSION);
    return 0;
}
