#!/usr/bin/env node
// The command, there before anything is built, so that installing the workspace can link to it.
import "../dist/cli.js";
