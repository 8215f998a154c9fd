"""The routes: method, path, who may, function, what it is. Nothing is reachable that is not here.

One row a route; mirror/web/gate.py enforces the third column before anything else happens, and
writes the last one in the audit. Every path here is also there on the other node, through this
one: /api/v1/nodes/{node}/..., with the same rights, except those that are `public` or `peer`.
"""

# A row is a line, however wide.
# ruff: noqa: E501

from mirror.web.endpoints import (
    availability,
    cluster,
    configuration,
    control,
    data,
    files,
    host,
    kept,
    logs,
    modules,
    notifications,
    operations,
    peer_command,
    session,
    sign_in,
    state,
    users,
    what_if,
)
from mirror.web.identity import Access
from mirror.web.table import Kind, Row

V1 = "/api/v1"
MODULE = f"{V1}/modules/{{module}}"
PUBLIC, MONITOR, CONTROL, ADMIN, PEER = (
    Access.PUBLIC,
    Access.MONITOR,
    Access.CONTROL,
    Access.ADMIN,
    Access.PEER,
)

# fmt: off
ROUTES: tuple[Row, ...] = (
    # signing in
    Row("GET",    f"{V1}/session",                    PUBLIC,  session.read_session,           "who is signed in"),
    Row("POST",   f"{V1}/session",                    PUBLIC,  session.sign_in,                "sign in"),
    Row("DELETE", f"{V1}/session",                    MONITOR, session.sign_out,               "sign out"),
    Row("POST",   f"{V1}/session/link",               PUBLIC,  session.use_link,               "set a password by a one-time link"),
    Row("POST",   f"{V1}/session/ticket",             PUBLIC,  session.use_ticket,             "go on after the other node died"),
    Row("GET",    f"{V1}/session/oidc/start",         PUBLIC,  sign_in.oidc_start,             "go to the provider to sign in"),
    Row("GET",    f"{V1}/session/oidc/callback",      PUBLIC,  sign_in.oidc_callback,          "come back from the provider"),
    Row("GET",    f"{V1}/sign-in",                    ADMIN,   sign_in.read_sign_in,           "who else's word is taken"),
    Row("PUT",    f"{V1}/sign-in",                    ADMIN,   sign_in.save_sign_in,           "change who else's word is taken"),
    Row("POST",   f"{V1}/sign-in/ldap/try",           ADMIN,   sign_in.try_ldap,               "try the LDAP directory"),
    Row("PUT",    f"{V1}/session/password",           MONITOR, session.change_password,        "change one's own password"),
    Row("POST",   f"{V1}/tickets",                    MONITOR, session.make_ticket,            "make a ticket to go on here", Kind.WATCH),
    Row("GET",    f"{V1}/users",                      ADMIN,   users.list_users,               "list the users"),
    Row("PUT",    f"{V1}/users/{{name}}",             ADMIN,   users.put_user,                 "add or change a user"),
    Row("DELETE", f"{V1}/users/{{name}}",             ADMIN,   users.remove_user,              "remove a user"),
    Row("GET",    f"{V1}/tokens",                     ADMIN,   users.list_tokens,              "list the bearer tokens"),
    Row("POST",   f"{V1}/tokens",                     ADMIN,   users.make_token,               "make a bearer token"),
    Row("DELETE", f"{V1}/tokens/{{number}}",          ADMIN,   users.revoke_token,             "revoke a bearer token"),
    Row("GET",    f"{V1}/audit",                      ADMIN,   users.read_audit,               "read the audit"),
    # seeing
    Row("GET",    f"{V1}/state",                      MONITOR, state.read_state,               "state of all modules", Kind.WATCH),
    Row("GET",    f"{V1}/events",                     MONITOR, state.follow_events,            "follow events", Kind.WATCH),
    Row("GET",    f"{MODULE}/state",                  MONITOR, state.read_module_state,        "state of a module", Kind.WATCH),
    Row("GET",    f"{MODULE}/resources",              MONITOR, state.read_resources,           "resources of a module", Kind.WATCH),
    Row("GET",    f"{MODULE}/log",                    MONITOR, logs.read_log,                  "read the log of a module"),
    Row("GET",    f"{MODULE}/timeline",               MONITOR, logs.read_timeline,             "states of the past"),
    Row("GET",    f"{MODULE}/availability",           MONITOR, availability.read_availability, "outages and availability", Kind.WATCH),
    Row("GET",    f"{MODULE}/history",                MONITOR, state.read_history,             "rates of replication over time", Kind.WATCH),
    Row("GET",    f"{MODULE}/processes",              MONITOR, state.read_processes,           "processes that are watched"),
    Row("GET",    f"{MODULE}/outputs",                CONTROL, logs.list_outputs,              "list what scripts said"),
    Row("GET",    f"{MODULE}/outputs/{{name}}",       CONTROL, logs.read_output,               "read what a script said"),
    Row("GET",    f"{MODULE}/data",                   CONTROL, data.read_data,                 "what this node holds of a module"),
    Row("GET",    f"{MODULE}/start-facts",            CONTROL, data.read_start_facts,          "which node has the good data"),
    Row("GET",    f"{MODULE}/split",                  ADMIN,   kept.read_split,                "both sides of a split brain"),
    Row("GET",    f"{MODULE}/changes",                ADMIN,   kept.read_changes,              "what this node changed alone"),
    Row("GET",    f"{MODULE}/kept-versions",          ADMIN,   kept.list_kept_versions,        "list the versions kept aside"),
    Row("POST",   f"{MODULE}/kept-versions/restore",  ADMIN,   kept.restore_versions,          "restore versions kept aside"),
    Row("POST",   f"{MODULE}/kept-versions/remove",   ADMIN,   kept.remove_versions,           "remove versions kept aside"),
    # acting
    Row("GET",    f"{V1}/commands",                   MONITOR, control.list_commands,          "list the commands"),
    Row("POST",   f"{V1}/commands",                   CONTROL, control.command_node,           "command to the node"),
    Row("POST",   f"{MODULE}/commands",               CONTROL, control.command_module,         "command to a module"),
    Row("POST",   f"{MODULE}/whatif",                 CONTROL, what_if.what_if,                "say what a command would do", Kind.CHECK),
    # modules and their configuration
    Row("GET",    f"{V1}/modules",                    MONITOR, modules.list_modules,           "list the modules"),
    Row("GET",    f"{V1}/packages",                   MONITOR, modules.list_packages,          "list what can be installed"),
    Row("POST",   f"{V1}/modules",                    ADMIN,   modules.install_module,         "install a module"),
    Row("DELETE", f"{MODULE}",                        ADMIN,   modules.uninstall_module,       "uninstall a module"),
    Row("GET",    f"{MODULE}/package",                ADMIN,   modules.download_package,       "download a module"),
    Row("PUT",    f"{MODULE}/package",                ADMIN,   modules.upload_package,         "upload a module", Kind.UPLOAD),
    Row("GET",    f"{MODULE}/settings",               MONITOR, modules.read_settings,          "settings of a module here"),
    Row("PUT",    f"{MODULE}/settings",               ADMIN,   modules.save_settings,          "change settings of a module here"),
    Row("GET",    f"{MODULE}/config",                 ADMIN,   configuration.read_userconfig,  "read userconfig.xml"),
    Row("PUT",    f"{MODULE}/config",                 ADMIN,   configuration.save_userconfig,  "save userconfig.xml"),
    Row("POST",   f"{MODULE}/config/check",           ADMIN,   configuration.check_config,     "check the configuration"),
    Row("POST",   f"{MODULE}/config/apply",           ADMIN,   configuration.apply_config,     "put the configuration in force"),
    Row("POST",   f"{MODULE}/config/remove",          ADMIN,   configuration.deconfigure,      "take the configuration out of force"),
    Row("POST",   f"{V1}/userconfig/check",           ADMIN,   configuration.check_as_typed,   "check a userconfig.xml as it is typed", Kind.CHECK),
    Row("GET",    f"{V1}/userconfig/elements",        MONITOR, configuration.describe_userconfig, "describe userconfig.xml"),
    Row("GET",    f"{MODULE}/files",                  ADMIN,   files.list_module_files,        "list the files of a module"),
    Row("GET",    f"{MODULE}/files/{{path:path}}",    ADMIN,   files.read_file,                "read a file of a module"),
    Row("PUT",    f"{MODULE}/files/{{path:path}}",    ADMIN,   files.save_file,                "save a file of a module"),
    Row("DELETE", f"{MODULE}/files/{{path:path}}",    ADMIN,   files.remove_file,              "remove a file of a module"),
    Row("GET",    f"{MODULE}/kept",                   ADMIN,   files.list_kept,                "list the last configurations"),
    Row("POST",   f"{MODULE}/kept/{{kept}}/restore",  ADMIN,   files.restore_kept,             "edit a former configuration again"),
    Row("GET",    f"{MODULE}/diff",                   ADMIN,   files.compare,                  "compare configurations"),
    # the cluster
    Row("GET",    f"{V1}/node",                       MONITOR, cluster.read_node,              "describe this node"),
    Row("GET",    f"{V1}/cluster",                    MONITOR, cluster.read_cluster,           "describe the cluster", Kind.WATCH),
    Row("GET",    f"{V1}/cluster/config",             ADMIN,   cluster.read_cluster_xml,       "read cluster.xml"),
    Row("PUT",    f"{V1}/cluster/config",             ADMIN,   cluster.save_cluster,           "put cluster.xml in force"),
    Row("POST",   f"{V1}/cluster/check",              ADMIN,   cluster.check_cluster,          "check a cluster.xml as it is typed", Kind.CHECK),
    Row("POST",   f"{V1}/cluster/lock",               ADMIN,   cluster.take_edit_lock,         "edit cluster.xml alone", Kind.WATCH),
    Row("POST",   f"{V1}/cluster/unlock",             ADMIN,   cluster.give_edit_lock_back,    "let others edit cluster.xml", Kind.WATCH),
    Row("GET",    f"{V1}/cluster/elements",           MONITOR, configuration.describe_cluster, "describe cluster.xml"),
    Row("POST",   f"{V1}/cluster/init",               ADMIN,   cluster.init_cluster,           "begin a cluster"),
    Row("GET",    f"{V1}/cluster/token",              ADMIN,   cluster.read_join_token,        "see the token to join"),
    Row("POST",   f"{V1}/cluster/token",              ADMIN,   cluster.make_join_token,        "make a token to join"),
    Row("DELETE", f"{V1}/cluster/token",              ADMIN,   cluster.end_join_token,         "end the token to join"),
    Row("POST",   f"{V1}/cluster/join",               ADMIN,   cluster.join_cluster,           "join a cluster"),
    Row("POST",   f"{V1}/cluster/leave",              ADMIN,   cluster.leave_cluster,          "leave the cluster"),
    Row("POST",   f"{V1}/cluster/certificate",        ADMIN,   cluster.renew_certificate,      "renew the certificate of this node"),
    Row("GET",    f"{V1}/cluster/ca.crt",             PUBLIC,  cluster.download_authority,     "certificate to be trusted by browsers"),
    # this host
    Row("GET",    f"{V1}/host/directories",           ADMIN,   host.browse,                    "browse the directories"),
    Row("GET",    f"{V1}/host/interfaces",            ADMIN,   host.list_interfaces,           "list the networks of the host"),
    Row("GET",    f"{V1}/host/address",               ADMIN,   host.check_address,             "check a virtual address"),
    Row("GET",    f"{V1}/host/doctor",                CONTROL, host.run_doctor,                "look at all this node needs"),
    Row("GET",    f"{MODULE}/snapshot",               CONTROL, host.take_snapshot,             "snapshot for support"),
    # telling people who do not look
    Row("GET",    f"{V1}/notifications",              ADMIN,   notifications.read_targets,     "where notifications go"),
    Row("PUT",    f"{V1}/notifications",              ADMIN,   notifications.save_targets,     "change where notifications go"),
    Row("POST",   f"{V1}/notifications/test",         ADMIN,   notifications.test_targets,     "send a test notification"),
    Row("GET",    f"{V1}/notices",                    MONITOR, notifications.list_notices,     "list what was told"),
    Row("GET",    f"{V1}/feed.atom",                  MONITOR, notifications.read_feed,        "what was told, as a feed", Kind.WATCH),
    # for machines
    Row("GET",    f"{V1}/operations/{{file}}",        MONITOR, operations.read_operations_file, "dashboard and alert rules"),
    Row("GET",    f"{V1}/openapi.json",               PUBLIC,  operations.read_openapi,        "the OpenAPI document"),
    Row("GET",    "/metrics",                         MONITOR, operations.read_metrics,        "figures for Prometheus", Kind.WATCH),
    Row("GET",    "/var/modules/{module}/ready.txt",  PUBLIC,  state.read_ready,               "whether a module serves here"),
    # for the other node
    Row("GET",    f"{V1}/peer/users",                 PEER,    users.users_for_peer,           "users, for the other node"),
    Row("GET",    f"{V1}/peer/sign-in",               PEER,    sign_in.sign_in_for_peer,       "who else's word is taken, for the other node"),
    Row("POST",   f"{V1}/peer/users",                 PEER,    users.peer_users_changed,       "users changed on the other node"),
    Row("POST",   f"{V1}/peer/certificate",           PEER,    cluster.sign_for_peer,          "sign a certificate for the other node"),
    Row("POST",   f"{V1}/command-line",               ADMIN,   peer_command.run_command_line,  "run a command line"),
    Row("POST",   f"{V1}/peer/command",               PEER,    peer_command.run_for_peer,      "command line of the other node"),
)
# fmt: on
