"""The platform as a Pulumi program: settings, contracts, images, containers, and one package a layer."""
