// A private endpoint and the names by which it is found.

@description('Region of the endpoint: that of its network.')
param location string

@description('Tags of the endpoint.')
param tags object

@description('Name of the endpoint.')
param name string

@description('Id of the subnet that it takes an address of.')
param subnetId string

@description('Id of what it leads to.')
param targetId string

@description('The part of the target that it leads to, such as blob or vault.')
param subresource string

@description('Id of the private DNS zone that its name is written to.')
param zoneId string

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: {
      id: subnetId
    }
    privateLinkServiceConnections: [
      {
        name: subresource
        properties: {
          privateLinkServiceId: targetId
          groupIds: [
            subresource
          ]
        }
      }
    ]
  }
}

resource names 'Microsoft.Network/privateEndpoints/privateDnsZoneGroups@2024-05-01' = {
  parent: endpoint
  name: 'default'
  properties: {
    privateDnsZoneConfigs: [
      {
        name: subresource
        properties: {
          privateDnsZoneId: zoneId
        }
      }
    ]
  }
}
