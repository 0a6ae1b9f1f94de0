from __future__ import annotations

from ragfleet_operator.kinds import DEPLOYMENT, SERVICE_ACCOUNT
from support.rendering import of_kind, one, rendered


def test_an_account_without_a_token_is_made_with_the_pipelines_name() -> None:
    children = rendered({"runtime.serviceAccount": {"annotations": {"iam.example/role": "reader"}}})
    account = one(children, SERVICE_ACCOUNT)
    assert account["metadata"]["name"] == "handbook"
    assert account["metadata"]["annotations"] == {"iam.example/role": "reader"}
    assert account["automountServiceAccountToken"] is False


def test_no_account_is_made_where_one_is_named_and_the_pods_are_that_one() -> None:
    children = rendered({"runtime.serviceAccount": {"name": "reader"}})
    assert of_kind(children, SERVICE_ACCOUNT) == []
    pod = one(children, DEPLOYMENT)["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "reader"
    # The account's own setting may be another.
    assert pod["automountServiceAccountToken"] is False
