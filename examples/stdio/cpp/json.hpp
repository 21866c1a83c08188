// A reader of JSON that is enough for this example. A program that has one (Qt: QJsonDocument; nlohmann/json) uses that.
#pragma once

#include <cstdlib>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

struct Json {
    std::string text;  // of a string; of a number, true, false and null as written
    std::vector<Json> items;
    std::map<std::string, Json> fields;

    // Nothing found is an empty value, as for fields that a newer worker does not send.
    const Json& operator[](const std::string& name) const {
        static const Json nothing;
        auto found = fields.find(name);
        return found == fields.end() ? nothing : found->second;
    }
    double number() const { return std::strtod(text.c_str(), nullptr); }
};

class JsonReader {
public:
    static Json read(const std::string& line) {
        JsonReader reader(line);
        return reader.value();
    }

private:
    explicit JsonReader(const std::string& line) : at(line.data()), end(line.data() + line.size()) {}

    const char* at;
    const char* end;

    char next() {
        if (at == end) throw std::runtime_error("JSON is cut short");
        return *at++;
    }
    void spaces() {
        while (at != end && (*at == ' ' || *at == '\t' || *at == '\r' || *at == '\n')) ++at;
    }
    bool takes(char wanted) {
        spaces();
        if (at == end || *at != wanted) return false;
        ++at;
        return true;
    }

    Json value() {
        Json found;
        if (takes('{')) {
            while (!takes('}')) {
                takes(',');
                spaces();
                next();  // the opening quote
                std::string name = string();
                takes(':');
                found.fields[name] = value();
            }
        } else if (takes('[')) {
            while (!takes(']')) {
                takes(',');
                found.items.push_back(value());
            }
        } else if (takes('"')) {
            found.text = string();
        } else {
            while (at != end && std::string(",]} \t\r\n").find(*at) == std::string::npos) found.text += next();
            if (found.text.empty()) throw std::runtime_error("no JSON");
        }
        return found;
    }

    std::string string() {
        std::string text;
        for (char one = next(); one != '"'; one = next()) text += one == '\\' ? escaped() : std::string(1, one);
        return text;
    }

    std::string escaped() {
        switch (char one = next()) {
            case 'n': return "\n";
            case 't': return "\t";
            case 'r': return "\r";
            case 'b': return "\b";
            case 'f': return "\f";
            case 'u': return utf8(unit());
            default: return std::string(1, one);
        }
    }

    unsigned unit() {
        std::string digits;
        for (int i = 0; i < 4; ++i) digits += next();
        return static_cast<unsigned>(std::strtoul(digits.c_str(), nullptr, 16));
    }

    std::string utf8(unsigned code) {
        if (code >= 0xD800 && code < 0xDC00) {  // the first half of a pair
            next(), next();                     // backslash and u of the second
            code = 0x10000 + ((code - 0xD800) << 10) + (unit() - 0xDC00);
        } else if (code >= 0xDC80 && code <= 0xDCFF) {
            return std::string(1, static_cast<char>(code - 0xDC00));  // a byte of a name that is no UTF-8
        }
        std::string bytes;
        if (code < 0x80) return std::string(1, static_cast<char>(code));
        int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;
        bytes += static_cast<char>((0xFF00 >> (more + 1) & 0xFF) | code >> 6 * more);
        while (more--) bytes += static_cast<char>(0x80 | (code >> 6 * more & 0x3F));
        return bytes;
    }
};
