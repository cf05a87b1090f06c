// The workbook: rotations over time, outcomes, expiries.

@description('Region of the workbook.')
param location string

@description('Tags of the workbook.')
param tags object

@description('What people see.')
param displayName string

@description('Id of the workspace that it reads.')
param workspaceId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'azure-key-rotator', 'workbook')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    category: 'workbook'
    displayName: displayName
    serializedData: replace(loadTextContent('workbook.json'), '{workspace}', workspaceId)
    sourceId: workspaceId
    version: '1.0'
  }
}
