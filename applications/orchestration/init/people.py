"""Roles and the two users that come with the platform; others are made in Airflow's own pages."""

from __future__ import annotations

from typing import Any

from airflow.providers.fab.auth_manager.cli_commands.utils import get_application_builder
from airflow.providers.fab.www.security import permissions
from airflow.providers_manager import ProvidersManager
from werkzeug.security import check_password_hash

from applications.orchestration.init.errors import InitError
from applications.orchestration.init.inputs import Inputs

MONITORING = "Monitoring"
# Airflow asks for the right to edit a DAG from whoever starts a run of it.
BEYOND_VIEWER = ((permissions.ACTION_CAN_CREATE, permissions.RESOURCE_DAG_RUN),
                 (permissions.ACTION_CAN_EDIT, permissions.RESOURCE_DAG))


def declare(inputs: Inputs) -> str:
    """Airflow's own roles, our role for programs that watch and start runs, and the users `admin` and `monitoring`.

    A user that exists gets its password and role back, and keeps whatever other roles it has. Raises InitError.
    """
    ProvidersManager().initialize_providers_configuration()  # where the defaults of the section [fab] stand
    with get_application_builder() as builder:
        manager = builder.sm
        builder.add_permissions(update_perms=True)
        manager.sync_roles()
        manager.bulk_sync_roles([{"role": MONITORING, "perms": [*manager.VIEWER_PERMISSIONS, *BEYOND_VIEWER]}])
        person(manager, "admin", "Admin", inputs.admin)
        person(manager, "monitoring", MONITORING, inputs.monitoring)
    return f"users: admin (Admin), monitoring ({MONITORING})"


def person(manager: Any, name: str, role_name: str, password: str) -> None:
    """One user with this role and password."""
    role = manager.find_role(role_name)
    user = manager.find_user(username=name)
    if user is None:
        manager.add_user(name, first_name=name.capitalize(), last_name="of the platform", email=f"{name}@platform.invalid",
                         role=role, password=password)
        return
    if role not in user.roles or not user.active:
        user.roles = [*user.roles, role] if role not in user.roles else user.roles
        user.active = True
        if not manager.update_user(user):
            raise InitError(f"the user {name} could not be changed; the lines above say why")
    if not check_password_hash(user.password, password) and not manager.reset_password(user.id, password):
        raise InitError(f"the password of the user {name} could not be set; the lines above say why")
