#!/bin/bash
# assemble.sh HOME VERSION: lays the server out as its distribution does, from its Maven artifacts. The modules' artifacts come
# without the descriptors (modules.txt: name, artifact, class, module that it extends) and the permissions (policies/) they need.
set -euo pipefail
home=$1 version=$2
maven() { mvn -q -B -s /tmp/settings.xml "$@" dependency:copy-dependencies -DincludeScope=runtime; }

mkdir -p "$home"/{bin,config,data,lib,logs,modules,plugins}
maven -f pom.xml -DoutputDirectory="$home/lib"
while read -r name artifact class extended; do
  folder=$home/modules/$name
  maven -f module.pom.xml -Dmodule="$artifact" -DoutputDirectory="$folder"
  for jar in "$folder"/*.jar; do
    if [ -e "$home/lib/${jar##*/}" ]; then rm "$jar"; fi
  done
  cat > "$folder/plugin-descriptor.properties" << DESCRIPTOR
name=$name
description=$name
version=$version
opensearch.version=$version
java.version=11
classname=$class
custom.foldername=
extended.plugins=${extended#-}
has.native.controller=false
DESCRIPTOR
  if [ -e "policies/$name" ]; then cp "policies/$name" "$folder/plugin-security.policy"; fi
done < modules.txt
