// What the app may do to the things whose keys it rotates: look at them, read their keys, regenerate their keys.
// Each kind's folder says why it needs each action. Assumption 105 of docs/fidelity.md.

var roles = [
  loadJsonContent('../../providers/batch/role.json')
  loadJsonContent('../../providers/workflow/role.json')
  loadJsonContent('../../providers/storage/role.json')
  loadJsonContent('../../providers/openai/role.json')
]

@export()
var rotationPermissions = [
  {
    actions: objectKeys(shallowMerge(roles))
    notActions: []
    dataActions: []
    notDataActions: []
  }
]
