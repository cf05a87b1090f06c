// Who is told what, from the app's own log lines. Dead letters are told of by vault-events.bicep.

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

@description('Id of the workspace that holds the logs.')
param workspaceId string

// The lines are those of rotation/story.py and rotation/outcome.py; a test holds each query to a line that the app writes.
var failedRotation = '''
AppTraces
| where Message matches regex @'^rotation [0-9a-f-]{36}: Failed \('
| project TimeGenerated, Rotation = extract(@'^rotation ([0-9a-f-]{36})', 1, Message), Code = extract(@'Failed \(([a-z_]+)\)', 1, Message), Message
'''
var poisonedMessage = '''
AppTraces
| where Message matches regex @'^rotation ([0-9a-f-]{36}|unknown): poisoned \('
| project TimeGenerated, Message
'''
var nearExpiry = '''
AppTraces
| where Message startswith 'sweep of '
| extend Vault = extract(@'^sweep of (https://[^ ]+): ', 1, Message), Days = todouble(extract(@'nearest expiry in (-?[0-9.]+) days', 1, Message))
| where isnotempty(Vault)
| summarize arg_max(TimeGenerated, Days) by Vault
| where Days < 10
'''
// One row when there is none: a sweep that does not run warns of nothing.
var noSweep = '''
AppTraces
| where Message startswith 'sweep of '
| summarize Sweeps = count()
| where Sweeps == 0
'''

var rules = [
  {
    name: 'failed-rotation'
    displayName: 'A rotation has failed'
    description: 'The secret still holds its live key. The message says what happened, to what, and what to do; see docs/operations.md.'
    severity: 1
    query: failedRotation
    frequency: 'PT5M'
    window: 'PT15M'
    lookBack: null
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
  }
  {
    name: 'no-sweep'
    displayName: 'No sweep for two days'
    description: 'Nobody looks for secrets whose event never came, or no log arrives: see whether the app runs, GET /api/health.'
    severity: 1
    query: noSweep
    frequency: 'PT1H'
    window: 'P1D'
    lookBack: 'P2D'
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
      // The tables are there once the first line has arrived.
      skipQueryValidation: true
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: rule.query
            timeAggregation: 'Count'
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
