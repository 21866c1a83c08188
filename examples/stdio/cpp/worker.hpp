// A worker of brain-edge for a host in C++: docs/stdio.md. POSIX; what differs on Windows is said at each place.
// One request at a time: a host with a window gives the worker a thread of its own.
#pragma once

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "json.hpp"

extern char** environ;

class BrainWorker {
public:
    using Told = std::function<void(const Json&)>;

    // program: brain-infer, with its full path.
    explicit BrainWorker(const std::string& program) {
        signal(SIGPIPE, SIG_IGN);  // a worker that died is an error of write(), and not the end of this program
        int in[2], out[2];
        // Close-on-exec: the next worker must not hold this one's standard input open, or this one never ends.
        // Windows: CreatePipe, SetHandleInformation(parent's ends, HANDLE_FLAG_INHERIT, 0), CREATE_NO_WINDOW.
        if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC)) throw std::runtime_error("no pipe");
        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, in[0], 0);
        posix_spawn_file_actions_adddup2(&actions, out[1], 1);
        posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
        std::string option = "--serve-stdio", name = program;
        char* arguments[] = {name.data(), option.data(), nullptr};
        int failed = posix_spawnp(&process, program.c_str(), &actions, nullptr, arguments, environ);
        posix_spawn_file_actions_destroy(&actions);
        close(in[0]);
        close(out[1]);
        requests = in[1];
        answers = fdopen(out[0], "rb");  // binary, also on Windows: content is counted in bytes
        if (failed) process = 0;
        try {
            if (failed) throw std::runtime_error("cannot start " + program);
            begin();
        } catch (...) {
            end();
            throw;
        }
    }

    BrainWorker(const BrainWorker&) = delete;
    BrainWorker& operator=(const BrainWorker&) = delete;
    ~BrainWorker() { end(); }

    // The first line: what the worker is, its limits, labels and model.
    Json ready;

    // Calls `result` with each line that `brain-infer --json` prints; a refused image is one, too.
    // Throws if the request was not carried out, or the worker died: start another, and do not ask it the same again.
    void classify(const std::string& content, const std::string& name, const Told& result,
                  const Told& progress = nullptr) {
        std::string id = std::to_string(++last_id);
        say("{\"id\": " + id + ", \"method\": \"classify\", \"name\": " + quoted(name) +
            ", \"length\": " + std::to_string(content.size()) + "}\n");
        say(content);
        for (;;) {
            Json event = heard();
            const std::string& kind = event["event"].text;
            if (kind == "error") throw std::runtime_error(event["error"]["message"].text);
            if (event["id"].text != id) continue;
            if (kind == "result") result(event["line"]);
            if (kind == "progress" && progress) progress(event);
            if (kind == "done") return;
        }
    }

    // Ends the worker; returns its exit status.
    int end() {
        if (!answers) return status;
        close(requests);
        while (std::getc(answers) != EOF) {
        }
        std::fclose(answers);
        answers = nullptr;
        int ended = 0;
        if (process) waitpid(process, &ended, 0);
        return status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
    }

private:
    pid_t process = 0;
    int requests = -1, status = 0;
    long last_id = 0;
    std::FILE* answers = nullptr;

    void begin() {
        ready = heard();
        if (ready["event"].text != "ready") throw std::runtime_error(ready["error"]["message"].text);
        bool speaks = false;
        for (const Json& version : ready["versions"].items) speaks |= version.text == "1";
        if (!speaks) throw std::runtime_error("the worker speaks no version that is spoken here");
    }

    void say(const std::string& bytes) {
        for (std::size_t written = 0; written < bytes.size();) {
            ssize_t count = write(requests, bytes.data() + written, bytes.size() - written);
            if (count < 0 && errno != EINTR) throw std::runtime_error("the worker is gone");
            if (count > 0) written += static_cast<std::size_t>(count);
        }
    }

    Json heard() {
        std::string line;
        for (int one = std::getc(answers); one != '\n'; one = std::getc(answers)) {
            if (one == EOF) throw std::runtime_error("the worker is gone");
            line += static_cast<char>(one);
        }
        return JsonReader::read(line);
    }

    // text: UTF-8
    static std::string quoted(const std::string& text) {
        std::string found = "\"";
        for (unsigned char one : text) {
            if (one == '"' || one == '\\') found += '\\';
            if (one < 0x20) {
                char escape[8];
                std::snprintf(escape, sizeof escape, "\\u%04x", one);
                found += escape;
            } else {
                found += static_cast<char>(one);
            }
        }
        return found + '"';
    }
};
