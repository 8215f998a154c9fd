#include "util/bus_error.h"

#include <errno.h>
#include <signal.h>
#include <unistd.h>

static void tell(int number)
{
    static const char sentence[] =
        "data plane ends: a page that it has mapped cannot be read (SIGBUS): of the dirty index, "
        "or of a program; the next start reads the index before it maps it\n";
    ssize_t written = write(STDERR_FILENO, sentence, sizeof(sentence) - 1);

    (void)written; /* its own log may lie on the same disk */
    (void)raise(number);
}

int mn_bus_error_tell(void)
{
    struct sigaction action = {.sa_handler = tell, .sa_flags = (int)SA_RESETHAND};

    (void)sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, NULL) == 0 ? 0 : -errno;
}
