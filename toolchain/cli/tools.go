//go:build tools

// Package tools pins the engine's command, which is built from its own module.
package tools

import _ "github.com/pulumi/pulumi/pkg/v3/cmd/pulumi"
