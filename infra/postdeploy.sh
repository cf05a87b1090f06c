#!/bin/sh
# Subscribes the app to the events of its vaults. azd runs it after the code is deployed, with the outputs of main.bicep
# as environment variables; `azd hooks run postdeploy` runs it again. EVENTING_VAULT_IDS takes the place of AZURE_KEY_VAULT_IDS:
# ids with commas between them, or `none`.
set -eu

cd "$(dirname "$0")"

FUNCTION=on_secret_event
TRIES=${EVENTING_TRIES:-20}
PAUSE=${EVENTING_PAUSE:-15} # seconds

fail() {
    echo "$*" >&2
    exit 1
}

if [ -n "${ROTATION_UNGRANTED_SCOPES:-}" ]; then
    fail "ROTATION_ALLOWED_SCOPES holds what no role can be assigned on: $ROTATION_UNGRANTED_SCOPES. Name subscriptions, resource groups, Batch accounts or sites, then run azd up."
fi

if [ "${EVENTING_VAULT_IDS:-}" = none ]; then
    echo 'EVENTING_VAULT_IDS is none: no vault is subscribed to.'
    exit
fi

command -v az >/dev/null || fail 'The Azure CLI (az) is not on PATH: install it, run az login, then azd hooks run postdeploy.'

# The host tells Azure of a new function only after it has loaded the code.
tries=1
until az functionapp function show --subscription "$AZURE_SUBSCRIPTION_ID" --resource-group "$AZURE_RESOURCE_GROUP" \
    --name "$AZURE_FUNCTION_APP_NAME" --function-name "$FUNCTION" --output none 2>/dev/null; do
    [ "$tries" -lt "$TRIES" ] || fail "The function $FUNCTION of $AZURE_FUNCTION_APP_NAME does not show up: see the app's logs, then run azd hooks run postdeploy."
    tries=$((tries + 1))
    sleep "$PAUSE"
done

exec az deployment sub create --subscription "$AZURE_SUBSCRIPTION_ID" --location "$AZURE_LOCATION" \
    --name "eventing-$AZURE_FUNCTION_APP_NAME" --template-file eventing.bicep --output none --parameters \
    "environmentName=$AZURE_ENV_NAME" \
    "vaultIds=${EVENTING_VAULT_IDS:-$AZURE_KEY_VAULT_IDS}" \
    "functionAppId=$EVENTING_FUNCTION_APP_ID" \
    "identityId=$EVENTING_IDENTITY_ID" \
    "storageId=$EVENTING_STORAGE_ID" \
    "deadLetterContainer=$EVENTING_DEAD_LETTER_CONTAINER" \
    "actionGroupId=$EVENTING_ACTION_GROUP_ID"
