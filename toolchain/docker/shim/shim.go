// Package shim has a path below the provider's own, which lets it import the provider's internal package.
package shim

import (
	"github.com/hashicorp/terraform-plugin-sdk/v2/helper/schema"
	"github.com/terraform-providers/terraform-provider-docker/internal/provider"
)

// NewProvider is the Docker provider that the official plugin bridges too.
func NewProvider(version string) *schema.Provider { return provider.New(version)() }
