// Azure compares ids in any case: of two spellings of one the first counts.
@export()
func distinctIds(ids array) array =>
  reduce(ids, [], (found, id) => contains(map(found, one => toLower(one)), toLower(id)) ? found : concat(found, [id]))

// A list as azd hands it on: text with commas.
@export()
func idsIn(list string) array => distinctIds(filter(map(split(list, ','), item => trim(item)), item => !empty(item)))
