// g++ -std=c++17 -Wall -Wextra -O2 classify.cpp -o classify && ./classify BRAIN_INFER IMAGE...
// A line for each image. Exit status: 0 all answered, 1 no worker, 2 usage, 100 some refused.

#include <fstream>
#include <iostream>
#include <sstream>

#include "worker.hpp"

// Whether the answer is accepted comes before the answer; never show a label alone.
static std::string decision(const Json& line) {
    if (line["decision"].text != "abstain") return line["decision"].text;
    std::string reasons;
    for (const Json& reason : line["reasons"].items) reasons += (reasons.empty() ? "" : ", ") + reason.text;
    return "abstain (" + reasons + "), nearest";
}

int main(int count, char** words) {
    if (count < 3) {
        std::cerr << "usage: classify BRAIN_INFER IMAGE...\n";
        return 2;
    }
    try {
        BrainWorker worker(words[1]);
        int refused = 0;
        for (int i = 2; i < count; ++i) {
            std::ostringstream content;
            content << std::ifstream(words[i], std::ios::binary).rdbuf();
            worker.classify(content.str(), words[i], [&](const Json& line) {
                std::cout << line["source"].text << ": ";
                if (line["status"].text == "ok") {
                    char score[16];
                    std::snprintf(score, sizeof score, "%.4f", line["score"].number());
                    std::cout << decision(line) << " " << line["label"].text << " " << score << "\n";
                } else {
                    ++refused;
                    std::cout << "error " << line["error"]["code"].text << "\n";
                }
            });
        }
        std::cout << worker.ready["research_use_only"].text << "\n";
        int status = worker.end();
        return status ? status : refused ? 100 : 0;
    } catch (const std::exception& error) {
        std::cerr << error.what() << "\n";
        return 1;
    }
}
