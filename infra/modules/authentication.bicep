// Asks callers of the HTTP API for a token of Microsoft Entra, on top of the function key; or turns that off again.
// Assumptions 95, 96 and 97 of docs/fidelity.md.

@description('Name of the Function App, in this resource group.')
param appName string

@description('Client id of the app registration that tokens must be for. Empty: no token is asked for.')
param clientId string

@description('Client ids of the applications that may call. An empty list would let every application of the tenant in: main.bicep refuses it.')
param callerIds array

var isOn = !empty(clientId)
var providers = {
  azureActiveDirectory: {
    enabled: true
    registration: {
      clientId: clientId
      // Of tokens of version 2: the app registration must ask for them.
      openIdIssuer: uri(environment().authentication.loginEndpoint, '${tenant().tenantId}/v2.0')
    }
    validation: {
      allowedAudiences: [
        clientId
        'api://${clientId}'
      ]
      defaultAuthorizationPolicy: {
        allowedApplications: callerIds
      }
    }
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource authentication 'Microsoft.Web/sites/config@2025-03-01' = {
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: isOn
    }
    globalValidation: {
      requireAuthentication: isOn
      unauthenticatedClientAction: isOn ? 'Return401' : 'AllowAnonymous'
      // Event Grid comes with the host's key, by a path that is written in both ways; az and func ask the other two with
      // the master key when they deploy; health is for everyone.
      excludedPaths: [
        '/runtime/webhooks/eventgrid'
        '/runtime/webhooks/EventGrid'
        '/admin/host/status'
        '/admin/host/synctriggers'
        '/api/health'
      ]
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: isOn ? providers : {}
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}
