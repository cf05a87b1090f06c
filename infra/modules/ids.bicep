// Azure compares ids in any case: of two spellings of one the first counts.
@export()
func distinctIds(ids array) array =>
  reduce(ids, [], (found, id) => contains(map(found, one => toLower(one)), toLower(id)) ? found : concat(found, [id]))

// A list as azd hands it on: text with commas.
@export()
func idsIn(list string) array => distinctIds(filter(map(split(list, ','), item => trim(item)), item => !empty(item)))

// The type of the resource that an id names, in lower case, and with /* where it names something below one: microsoft.web/sites/*.
// Empty for subscriptions and resource groups.
@export()
func resourceTypeIn(id string) string => resourceTypeAmong(split(toLower(id), '/'))

func resourceTypeAmong(parts array) string =>
  length(parts) >= 9 && parts[?5] == 'providers' ? '${parts[6]}/${parts[7]}${length(parts) == 9 ? '' : '/*'}' : ''
