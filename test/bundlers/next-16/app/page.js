/** A component of the client, which the server renders too: importing millrace must harm neither. */
"use client";

import { useEffect } from "react";
import { start } from "../stream-page.js";

export default function Page() {
  useEffect(start, []);
  return <p>Millrace in a bundle</p>;
}
