/** Requests as clients make them, down to the bytes, and a certificate where openssl makes one. */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as http1Request } from "node:http";
import { connect as http2Connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TlsFiles } from "millrace/serve";

export interface Answer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly body: Buffer;
}

export interface Question {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Record<string, string>;
  readonly body?: string | Uint8Array;
}

/** One request over a connection of HTTP/1.1. */
export function ask1(url: string, question: Question = {}): Promise<Answer> {
  const { method = "POST", path = "/", headers = {}, body = "" } = question;
  return new Promise((resolve, reject) => {
    const request = http1Request(
      new URL(path, url),
      { method, headers, agent: false },
      (answer) => {
        const chunks: Buffer[] = [];
        answer.on("data", (chunk: Buffer) => chunks.push(chunk));
        answer.on("error", reject);
        answer.on("end", () => {
          const status = answer.statusCode ?? 0;
          resolve({ status, headers: answer.headers, body: Buffer.concat(chunks) });
        });
      },
    );
    request.on("error", reject);
    request.end(body);
  });
}

/** One request over a session of HTTP/2, by prior knowledge. */
export function ask2(url: string, question: Question = {}): Promise<Answer> {
  const { method = "POST", path = "/", headers = {}, body = "" } = question;
  return new Promise((resolve, reject) => {
    const session = http2Connect(url);
    session.on("error", reject);
    const endStream = body.length === 0;
    const stream = session.request({ ":method": method, ":path": path, ...headers }, { endStream });
    let received: Record<string, unknown> = {};
    const chunks: Buffer[] = [];
    stream.on("response", (answered) => {
      received = answered;
    });
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", reject);
    stream.on("close", () => {
      session.close();
      const status = Number(received[":status"] ?? 0);
      if (status === 0) reject(new Error("the stream ended without an answer"));
      else resolve({ status, headers: received, body: Buffer.concat(chunks) });
    });
    if (!endStream) stream.end(body);
  });
}

/** A certificate for localhost that signs itself; undefined where there is no openssl. */
export function selfSigned(): (TlsFiles & { readonly cert: string }) | undefined {
  const directory = mkdtempSync(join(tmpdir(), "millrace-tls-"));
  const [cert, key] = [join(directory, "cert.pem"), join(directory, "key.pem")];
  const subject = [
    "-subj",
    "/CN=localhost",
    "-addext",
    "subjectAltName=DNS:localhost,IP:127.0.0.1",
  ];
  const made = spawnSync("openssl", [
    ...["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"],
    ...["-keyout", key, "-out", cert, ...subject],
  ]);
  try {
    if (made.status !== 0) return undefined;
    return { cert: readFileSync(cert, "utf8"), key: readFileSync(key, "utf8") };
  } finally {
    rmSync(directory, { recursive: true });
  }
}

/** Whether a program runs and ends well; its answer is kept, for programs are slow to start. */
const programs = new Map<string, boolean>();
export function canRun(command: string, ...words: string[]): boolean {
  const name = [command, ...words].join(" ");
  let can = programs.get(name);
  if (can === undefined) {
    can = spawnSync(command, words, { stdio: "ignore" }).status === 0;
    programs.set(name, can);
  }
  return can;
}
