// Lets callers of the HTTP API sign in by Microsoft Entra, with ROTATION_AUTHENTICATION=entra in function-app.bicep; or turns that off again.
// App roles of the app registration decide what a caller may do: `Rotations.Read` and `Rotations.Operate` (docs/deploy.md). The app looks at them itself.
// Assumptions 95, 96, 97, 136 and 138 of docs/fidelity.md.

@description('Name of the Function App, in this resource group.')
param appName string

@description('Client id of the app registration that callers sign in to. Empty: none do.')
param clientId string

@description('Client ids of the applications that may call, besides the app registration itself, by which people sign in.')
param callerIds array

var isOn = !empty(clientId)
var providers = {
  azureActiveDirectory: {
    enabled: true
    // It has no secret: people sign in with an ID token, which the app registration must issue.
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
        // Never empty: that would let every application of the tenant in. Without the first, people are refused.
        allowedApplications: union([clientId], callerIds)
      }
    }
  }
}

// The page asks strangers to sign in, so they must get it: every file of dashboard/ by its own path, as a wildcard may let more through. They hold no data. A test holds this list to the folder.
var pageFiles = [
  'api.js'
  'calendar.js'
  'dialog.js'
  'dom.js'
  'figures.js'
  'filters.js'
  'format.js'
  'home.js'
  'icon.svg'
  'leak.js'
  'main.js'
  'managing.js'
  'needs.js'
  'page.css'
  'pieces.js'
  'poll.js'
  'rotating.js'
  'rotation.js'
  'rotations.js'
  'secret.js'
  'sign-in.js'
  'store.js'
  'table.js'
  'view.js'
  'views.css'
  'words.js'
]
// Event Grid comes with the host's key, by a path that is written in both ways; az and func ask the admin paths with the master key when they deploy; health is for everyone.
var excludedPaths = concat(
  [
    '/runtime/webhooks/eventgrid'
    '/runtime/webhooks/EventGrid'
    '/admin/host/status'
    '/admin/host/synctriggers'
    '/api/health'
    '/api/dashboard'
    '/api/dashboard/'
  ],
  map(pageFiles, file => '/api/dashboard/${file}')
)

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
      // Right for programs and the page alike: that sends a person who is answered 401 to /.auth/login/aad.
      unauthenticatedClientAction: isOn ? 'Return401' : 'AllowAnonymous'
      excludedPaths: excludedPaths
    }
    httpSettings: {
      requireHttps: true
    }
    identityProviders: isOn ? providers : {}
    login: {
      // Nobody needs the tokens of who has signed in.
      tokenStore: {
        enabled: false
      }
    }
  }
}
