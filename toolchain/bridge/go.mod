module toolchain/bridge

go 1.25.8

require github.com/pulumi/pulumi-terraform-bridge/v3 v3.120.0
