package device

// Item names for the tests, which live outside the package.
const (
	ItemUseBootstrap     = itemUseBootstrap
	ItemInternalEndpoint = itemInternalEndpoint
	ItemLwM2MURI         = itemLwM2MURI
	ItemLwM2MCert        = itemLwM2MCert
	ItemLwM2MKey         = itemLwM2MKey
	ItemLwM2MCA          = itemLwM2MCA
	ItemProvisioning     = itemProvisioning
	ItemSession          = itemSession
	ItemLifetime         = itemLifetime
)
