// Copyright (c) 2026 cgr.pull_through contributors
// GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
// SPDX-License-Identifier: GPL-3.0-or-later

// Pulls an image with containerd's resolver, as each Kubernetes node does, and prints its digest and the number of blobs.
// Usage: USERNAME=… PASSWORD=… containerd-pull REFERENCE
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/containerd/containerd/v2/core/images"
	"github.com/containerd/containerd/v2/core/remotes"
	"github.com/containerd/containerd/v2/core/remotes/docker"
	"github.com/containerd/containerd/v2/plugins/content/local"
	ocispec "github.com/opencontainers/image-spec/specs-go/v1"
)

func main() {
	if err := pull(context.Background(), os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func pull(ctx context.Context, reference string) error {
	login := func(string) (string, string, error) { return os.Getenv("USERNAME"), os.Getenv("PASSWORD"), nil }
	authorizer := docker.NewDockerAuthorizer(docker.WithAuthCreds(login))
	resolver := docker.NewResolver(docker.ResolverOptions{
		Hosts: docker.ConfigureDefaultRegistries(docker.WithAuthorizer(authorizer)),
	})
	name, root, err := resolver.Resolve(ctx, reference)
	if err != nil {
		return err
	}
	fetcher, err := resolver.Fetcher(ctx, name)
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "containerd")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	store, err := local.NewStore(folder)
	if err != nil {
		return err
	}
	blobs := 0
	count := images.HandlerFunc(func(context.Context, ocispec.Descriptor) ([]ocispec.Descriptor, error) {
		blobs++
		return nil, nil
	})
	handlers := images.Handlers(remotes.FetchHandler(store, fetcher), count, images.ChildrenHandler(store))
	if err := images.Walk(ctx, handlers, root); err != nil {
		return err
	}
	fmt.Println(root.Digest, blobs)
	return nil
}
