// Who is alerted to what, from the app's own metrics: a metric is never sampled. Undelivered events are the matter of vault-events.bicep.
// Assumption 100 of docs/fidelity.md.

@description('Region of the rules.')
param location string

@description('Tags of the rules.')
param tags object

@description('What names of rules begin with.')
param namePrefix string

@description('Name of the action group.')
param actionGroupName string

@description('Where alerts are sent. Empty lets them show in the portal only.')
param email string

@description('Id of the workspace that holds the metrics.')
param workspaceId string

@description('URIs of the vaults that are swept.')
param vaultUris array

@description('Time of this deployment. For a day after it no sweep is missed.')
param deployedOn string

// The metrics are those of adapters/telemetry_lines.py; a test holds each query to one that the app sends.
var failedRotation = '''
AppMetrics
| where Name == 'key_rotator.rotations' and Sum > 0
| where tostring(Properties.outcome) == 'Failed'
| where tostring(Properties.awaited) != 'True'
| project TimeGenerated, Code = tostring(Properties.reason), Provider = tostring(Properties.provider), Trigger = tostring(Properties.trigger), Rotations = Sum
'''
var poisonedMessage = '''
AppMetrics
| where Name == 'key_rotator.poisoned' and Sum > 0
| project TimeGenerated, Messages = Sum
'''
var nearExpiry = '''
AppMetrics
| where Name == 'key_rotator.expiry.nearest'
| summarize arg_max(TimeGenerated, Min) by Vault = tostring(Properties.vault)
| extend Days = Min / 86400
| where Days < 10
'''
// How many secrets stand how, by the instance that counted last: one that counted before shows what it saw for two days.
var lastCount = '''
let last = AppMetrics
| where Name == 'key_rotator.counts' and Sum > 0
| summarize arg_max(TimeGenerated, AppRoleInstance) by Vault = tostring(Properties.vault)
| project Vault, AppRoleInstance;
AppMetrics
| where Name == 'key_rotator.secrets'
| extend Vault = tostring(Properties.vault), Status = tostring(Properties.status)
| join kind=inner last on Vault, AppRoleInstance
| summarize arg_max(TimeGenerated, Sum) by Vault, Status
| project TimeGenerated, Vault, Status, Secrets = Sum
'''
var deadKey = '''
| where Status in ('Drifted', 'TargetMissing')
| where Secrets > 0
'''
var leakedKey = '''
| where Status in ('LeakedKey')
| where Secrets > 0
'''
var needsAttention = '''
| where Status in ('Misconfigured', 'Overdue', 'Expired')
| where Secrets > 0
'''
// An alert that is raised already tells nobody of what comes on top: each status of each vault raises its own.
var vaultAndStatus = [
  {
    name: 'Vault'
    operator: 'Include'
    values: [
      '*'
    ]
  }
  {
    name: 'Status'
    operator: 'Include'
    values: [
      '*'
    ]
  }
]
// One row for each vault that was not looked through as a whole: an app that does not run, or may not read, warns of nothing.
var noSweep = '''
let vaults = datatable(Vault: string) [{vaults}];
let swept = AppMetrics
| where Name == 'key_rotator.sweeps' and Sum > 0
| where tostring(Properties.result) == 'complete'
| distinct Vault = tostring(Properties.vault);
vaults
| join kind=leftanti swept on Vault
| where now() > datetime({deployedOn}) + 26h
'''

var rules = [
  {
    name: 'failed-rotation'
    displayName: 'A rotation has failed that nobody waited for'
    description: 'An event, a sweep, a request with respond-async or a leaked key has asked for it. The secret still holds its live key. GET /api/rotations?state=Failed says which, what happened, and what to do; see docs/operations.md.'
    severity: 1
    query: failedRotation
    frequency: 'PT5M'
    window: 'PT15M'
    lookBack: null
    dimensions: []
  }
  {
    name: 'poisoned-message'
    displayName: 'A message has used up its retries'
    description: 'The vault, Azure Resource Manager or the ledger did not answer at any of 15 tries, or another secret held the target. Its rotation is marked Failed, now or when the ledger is back; this message is reported once. See docs/operations.md.'
    severity: 2
    query: poisonedMessage
    frequency: 'PT5M'
    window: 'PT15M'
    lookBack: null
    dimensions: []
  }
  {
    name: 'near-expiry'
    displayName: 'A managed secret expires within 10 days'
    description: 'It was due at 30 days: see why it has not been rotated, GET /api/secrets shows it.'
    severity: 1
    query: nearExpiry
    frequency: 'PT1H'
    window: 'P1D'
    lookBack: 'P2D'
    dimensions: []
  }
  {
    name: 'dead-key'
    displayName: 'A managed secret holds no live key'
    description: 'Its clients may be failing now: the value is none of the keys of its target (Drifted), or the target is gone (TargetMissing). GET /api/secrets?status=Drifted or status=TargetMissing says which secret and why, and docs/operations.md what to do. After that GET /api/secrets?refresh=true counts again.'
    severity: 1
    query: '${lastCount}${deadKey}'
    frequency: 'PT1H'
    window: 'P1D'
    lookBack: 'P2D'
    dimensions: vaultAndStatus
  }
  {
    name: 'leaked-key'
    displayName: 'A managed secret holds a leaked key'
    description: 'The key was reported as leaked, works, and this secret could not be moved away from it: it is paused, misconfigured or disabled, or its rotation fails. GET /api/secrets shows it with leakedKey, and docs/operations.md says what to do. After that GET /api/secrets?refresh=true counts again.'
    severity: 1
    query: '${lastCount}${leakedKey}'
    frequency: 'PT1H'
    window: 'P1D'
    lookBack: 'P2D'
    dimensions: vaultAndStatus
  }
  {
    name: 'secret-needs-attention'
    displayName: 'A managed secret needs a person'
    description: 'Its tags or its value are wrong (Misconfigured), it was not rotated for two days after it was due (Overdue), or its version has expired (Expired). Its clients may work all the same: `verified` says whether its key was seen to be live. GET /api/secrets?status=Misconfigured, status=Overdue or status=Expired says which secret and why, and docs/operations.md what to do. After that GET /api/secrets?refresh=true counts again.'
    severity: 2
    query: '${lastCount}${needsAttention}'
    frequency: 'PT1H'
    window: 'P1D'
    lookBack: 'P2D'
    dimensions: vaultAndStatus
  }
  {
    name: 'no-sweep'
    displayName: 'A vault was not swept for two days'
    description: 'Nobody finds its secrets whose event never came: the app does not run or may not read it, or no metric arrives. See GET /api/health. A schedule that is rarer than every two days needs this rule disabled.'
    severity: 1
    query: replace(replace(noSweep, '{deployedOn}', deployedOn), '{vaults}', join(map(vaultUris, uri => '"${uri}"'), ', '))
    frequency: 'PT1H'
    window: 'P1D'
    lookBack: 'P2D'
    dimensions: []
  }
]

var receivers = [
  {
    name: 'operator'
    emailAddress: email
    useCommonAlertSchema: true
  }
]

resource actionGroup 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: actionGroupName
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'KeyRotator'
    enabled: true
    emailReceivers: empty(email) ? [] : receivers
  }
}

resource alert 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: '${namePrefix}-${rule.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: rule.displayName
      description: rule.description
      severity: rule.severity
      enabled: true
      scopes: [
        workspaceId
      ]
      evaluationFrequency: rule.frequency
      windowSize: rule.window
      overrideQueryTimeRange: rule.lookBack
      // The table is there once the first metric has arrived.
      skipQueryValidation: true
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
            dimensions: rule.dimensions
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [
          actionGroup.id
        ]
      }
    }
  }
]

output actionGroupId string = actionGroup.id
