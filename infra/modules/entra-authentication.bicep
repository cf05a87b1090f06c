// Asks callers of the HTTP API for a token of Microsoft Entra, on top of the function key.

@description('Name of the Function App, in this resource group.')
param appName string

@description('Client id of the app registration that tokens must be for.')
param clientId string

@description('Client ids of the applications that may call.')
param callerIds array

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: appName
}

resource authentication 'Microsoft.Web/sites/config@2025-03-01' = {
  // checkov:skip=CKV_AZURE_222: Not a property of this resource: see the app.
  // checkov:skip=CKV_AZURE_13: Not a property of this resource: it is authsettingsV2 itself.
  // checkov:skip=CKV_AZURE_63: Flex Consumption has no logs on disk: requests are in Application Insights.
  // checkov:skip=CKV_AZURE_65: As CKV_AZURE_63.
  // checkov:skip=CKV_AZURE_66: As CKV_AZURE_63.
  // checkov:skip=CKV_AZURE_80: It runs Python.
  // checkov:skip=CKV_AZURE_88: Flex Consumption mounts no share; the app keeps no files.
  parent: app
  name: 'authsettingsV2'
  properties: {
    platform: {
      enabled: true
    }
    globalValidation: {
      requireAuthentication: true
      unauthenticatedClientAction: 'Return401'
      // Event Grid comes with the host's key, health is for everyone.
      excludedPaths: [
        '/runtime/webhooks/EventGrid'
        '/api/health'
      ]
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: {
      azureActiveDirectory: {
        enabled: true
        registration: {
          clientId: clientId
          openIdIssuer: '${environment().authentication.loginEndpoint}${tenant().tenantId}/v2.0'
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
    login: {
      tokenStore: {
        enabled: false
      }
    }
  }
}
