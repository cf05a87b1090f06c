// Private ways to storage, vaults and the topic. Telemetry and Azure Resource Manager stay on their public endpoints.
// Assumption 108 of docs/fidelity.md.

@description('Region of the network.')
param location string

@description('Tags of the network.')
param tags object

@description('Name of the virtual network.')
param name string

@description('CIDR block of the network.')
param prefix string

@description('What names of private endpoints begin with.')
param endpointPrefix string

@description('Id of the storage account.')
param storageId string

@description('Id of the topic.')
param topicId string

@description('Ids of the vaults.')
param vaultIds array

// ".vault.azure.net" becomes "privatelink.vaultcore.azure.net", likewise in the other clouds.
var vaultZone = 'privatelink${replace(environment().suffixes.keyvaultDns, '.vault.', '.vaultcore.')}'
var topicZones = {
  AzureCloud: 'privatelink.eventgrid.azure.net'
  AzureUSGovernment: 'privatelink.eventgrid.azure.us'
  AzureChinaCloud: 'privatelink.eventgrid.azure.cn'
}
var blobZone = 'privatelink.blob.${environment().suffixes.storage}'
var queueZone = 'privatelink.queue.${environment().suffixes.storage}'
var tableZone = 'privatelink.table.${environment().suffixes.storage}'
var topicZone = topicZones[environment().name]
var zones = [
  blobZone
  queueZone
  tableZone
  topicZone
  vaultZone
]

resource network 'Microsoft.Network/virtualNetworks@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    addressSpace: {
      addressPrefixes: [
        prefix
      ]
    }
    subnets: [
      {
        name: 'app'
        properties: {
          addressPrefix: cidrSubnet(prefix, 24, 0)
          delegations: [
            {
              name: 'flex-consumption'
              properties: {
                serviceName: 'Microsoft.App/environments'
              }
            }
          ]
        }
      }
      {
        name: 'endpoints'
        properties: {
          addressPrefix: cidrSubnet(prefix, 24, 1)
          privateEndpointNetworkPolicies: 'Enabled'
        }
      }
    ]
  }

  resource appSubnet 'subnets' existing = {
    name: 'app'
  }

  resource endpointSubnet 'subnets' existing = {
    name: 'endpoints'
  }
}

resource zone 'Microsoft.Network/privateDnsZones@2024-06-01' = [
  for zoneName in zones: {
    name: zoneName
    location: 'global'
    tags: tags
  }
]

resource link 'Microsoft.Network/privateDnsZones/virtualNetworkLinks@2024-06-01' = [
  for (zoneName, index) in zones: {
    parent: zone[index]
    name: name
    location: 'global'
    tags: tags
    properties: {
      registrationEnabled: false
      virtualNetwork: {
        id: network.id
      }
    }
  }
]

module blobEndpoint 'private-endpoint.bicep' = {
  name: 'private-endpoint-blob'
  params: {
    location: location
    tags: tags
    name: '${endpointPrefix}blob'
    subnetId: network::endpointSubnet.id
    targetId: storageId
    subresource: 'blob'
    zoneId: resourceId('Microsoft.Network/privateDnsZones', blobZone)
  }
  dependsOn: [
    link
  ]
}

module queueEndpoint 'private-endpoint.bicep' = {
  name: 'private-endpoint-queue'
  params: {
    location: location
    tags: tags
    name: '${endpointPrefix}queue'
    subnetId: network::endpointSubnet.id
    targetId: storageId
    subresource: 'queue'
    zoneId: resourceId('Microsoft.Network/privateDnsZones', queueZone)
  }
  dependsOn: [
    link
  ]
}

module tableEndpoint 'private-endpoint.bicep' = {
  name: 'private-endpoint-table'
  params: {
    location: location
    tags: tags
    name: '${endpointPrefix}table'
    subnetId: network::endpointSubnet.id
    targetId: storageId
    subresource: 'table'
    zoneId: resourceId('Microsoft.Network/privateDnsZones', tableZone)
  }
  dependsOn: [
    link
  ]
}

module topicEndpoint 'private-endpoint.bicep' = {
  name: 'private-endpoint-topic'
  params: {
    location: location
    tags: tags
    name: '${endpointPrefix}topic'
    subnetId: network::endpointSubnet.id
    targetId: topicId
    subresource: 'topic'
    zoneId: resourceId('Microsoft.Network/privateDnsZones', topicZone)
  }
  dependsOn: [
    link
  ]
}

module vaultEndpoints 'private-endpoint.bicep' = [
  for (vaultId, index) in vaultIds: {
    name: 'private-endpoint-vault-${index}'
    params: {
      location: location
      tags: tags
      name: '${endpointPrefix}${split(vaultId, '/')[8]}'
      subnetId: network::endpointSubnet.id
      targetId: vaultId
      subresource: 'vault'
      zoneId: resourceId('Microsoft.Network/privateDnsZones', vaultZone)
    }
    dependsOn: [
      link
    ]
  }
]

output appSubnetId string = network::appSubnet.id
