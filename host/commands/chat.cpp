#include "host/commands/chat.hpp"

#include "core/base/format.hpp"
#include "core/base/text.hpp"
#include "core/runtime/generate.hpp"
#include "host/console.hpp"
#include "host/exit_code.hpp"
#include "host/model_setup.hpp"
#include "host/picture.hpp"
#include "host/prompt.hpp"
#include "host/signals.hpp"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <optional>

namespace belay::host {
namespace {

constexpr std::string_view kHelp =
    "Type a message and Enter. Ctrl-C stops an answer; Ctrl-D ends the chat.\n"
    "  /image FILE   shows the model a JPEG or PNG image with your next message\n"
    "  /clear        forgets the conversation\n"
    "  /help         shows this\n"
    "  /exit         ends the chat";

class Chat {
 public:
  Chat(const Options& options, Workbench bench, const RunSettings& settings)
      : options_(options), bench_(std::move(bench)), settings_(settings) {}

  Status load() {
    stop_ = make_stop(bench_.settings);
    progress("loading the model");
    BELAY_TRY_ASSIGN(models::ModelFile file, open_model(bench_));
    BELAY_TRY_ASSIGN(const runtime::SamplingOptions sampling, read_sampling(options_, file.generation()));
    sampler_.emplace(sampling);
    BELAY_TRY_ASSIGN(tokenizer_, file.make_tokenizer());
    BELAY_TRY_ASSIGN(assembly_, assemble(bench_, std::move(file), {}, {}));
    BELAY_TRY(assembly_->bind());
    BELAY_TRY_ASSIGN(session_, assembly_->engine().session(assembly_->pool(), stop_));
    progress("");
    say(format("[{}; /help lists what you can type]", assembly_->file().config().name));
    return {};
  }

  // Until the user ends it. What goes wrong with one message is said, and the chat goes on.
  Result<int> converse() {
    for (;;) {
      const auto line = read_line("> ");
      if (interrupted().load() || !line) {
        say("");
        return 0;
      }
      if (*line == "/exit" || *line == "/quit") return 0;
      if (line->empty()) continue;
      const Status done = line->front() == '/' ? obey(*line) : answer(*line);
      if (done.ok()) continue;
      if (done.error().code == ErrorCode::kDeadline) return exit_code(ErrorCode::kDeadline);
      say("belay: " + done.error().message);
    }
  }

 private:
  Status obey(const std::string& line) {
    if (line == "/help") {
      say(kHelp);
    } else if (line == "/clear") {
      messages_.clear();
      images_.clear();
      pending_images_ = 0;
      session_->rewind(0);
      seen_.clear();
      say("[forgotten]");
    } else if (line.starts_with("/image ")) {
      return show_image(line.substr(line.find_first_not_of(' ', 6)));
    } else {
      return fail(ErrorCode::kUsage, "\"{}\" is not a command; /help lists them", printable(line, 60));
    }
    return {};
  }

  // Encoded now, so that the wait is where the user expects it.
  Status show_image(const std::string& path) {
    BELAY_TRY_ASSIGN(const images::PreprocessConfig config, preprocess_config(options_, assembly_->file()));
    const std::vector<std::filesystem::path> paths = {path};
    BELAY_TRY_ASSIGN(const std::vector<Picture> pictures, read_pictures(paths, config));
    if (!encoder_) {
      BELAY_TRY_ASSIGN(encoder_, assembly_->vision_encoder(stop_));
    }
    auto rows = encode_pictures(pictures, *encoder_);
    progress("");
    clear_stop();
    if (!rows.ok()) return std::move(rows).error();
    say(format("[{}: {} tokens; it goes with your next message]", printable(path, 200),
               pictures[0].tokens()));
    images_.push_back(std::move(rows->front()));
    ++pending_images_;
    return {};
  }

  // One exchange. A message that fails leaves the conversation as it was.
  Status answer(const std::string& text) {
    std::string content;
    for (std::size_t i = 0; i < pending_images_; ++i) content += tokenizer::kImageMarkup;
    messages_.push_back({"user", content + text});
    Status done = respond();
    if (!done.ok()) {
      messages_.pop_back();
    } else {
      pending_images_ = 0;
    }
    return done;
  }

  Status respond() {
    std::vector<std::uint64_t> image_tokens;
    for (const runtime::ImageRows& image : images_) image_tokens.push_back(image.grid.tokens());
    BELAY_TRY_ASSIGN(std::vector<std::int32_t> ids,
                     encode_conversation(messages_, *tokenizer_, assembly_->file()));
    BELAY_TRY_ASSIGN(ids, expand_images(std::move(ids), *tokenizer_, image_tokens));
    const std::span<const std::int32_t> fresh = keep_prefix(ids);
    const std::uint64_t room = session_->capacity() - session_->position();
    if (fresh.size() > room) {
      return fail(ErrorCode::kBadInput,
                  "the conversation has {} tokens and the context {} positions; /clear forgets it, --context "
                  "gives it more room",
                  ids.size(), session_->capacity());
    }
    return generate(fresh);
  }

  // Rewinds the session to what it has in common with the ids and answers the rest, at least one token.
  // Images are the same in both: they are only ever added at the end.
  std::span<const std::int32_t> keep_prefix(const std::vector<std::int32_t>& ids) {
    const std::size_t most = std::min(seen_.size(), ids.size() - 1);
    const auto differs =
        std::mismatch(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(most), seen_.begin());
    session_->rewind(static_cast<std::uint64_t>(differs.first - ids.begin()));
    seen_.assign(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(session_->position()));
    return std::span(ids).subspan(session_->position());
  }

  Status generate(std::span<const std::int32_t> fresh) {
    const std::size_t known = images_in(seen_);
    tokenizer::StreamDecoder decoder(*tokenizer_);
    std::string text;
    const auto show = [&](const std::string& piece) {
      text += piece;
      if (!write_out(piece)) request_stop();
    };
    runtime::GenerationHooks hooks;
    hooks.is_end = [&](std::int32_t token) { return tokenizer_->is_end_of_generation(token); };
    hooks.on_token = [&](std::int32_t token) { show(decoder.feed(token)); };
    const std::uint64_t room = session_->capacity() - session_->position() - fresh.size() + 1;
    const runtime::GenerationRequest request = {fresh, std::min(settings_.max_tokens, room),
                                                settings_.ignore_end, image_token(*tokenizer_).value_or(-1),
                                                std::span(images_).subspan(known)};
    auto made = runtime::generate(*session_, *sampler_, request, hooks);
    show(decoder.flush() + "\n");
    clear_stop();
    remember(fresh, made.ok() ? made->tokens : std::vector<std::int32_t>());
    if (!made.ok()) return std::move(made).error();
    messages_.push_back({"assistant", text.substr(0, text.size() - 1)});
    if (made->finish == runtime::Finish::kDeadline)
      return Error{ErrorCode::kDeadline, "the deadline has passed"};
    say_figures(*made);
    return {};
  }

  // What the session has seen of the tokens that were fed and made.
  void remember(std::span<const std::int32_t> fresh, const std::vector<std::int32_t>& made) {
    seen_.insert(seen_.end(), fresh.begin(), fresh.end());
    seen_.insert(seen_.end(), made.begin(), made.end());
    seen_.resize(std::min<std::size_t>(seen_.size(), session_->position()));
  }

  // Whole images among the tokens.
  [[nodiscard]] std::size_t images_in(const std::vector<std::int32_t>& ids) const {
    const auto token = image_token(*tokenizer_).value_or(-1);
    auto left = static_cast<std::uint64_t>(std::count(ids.begin(), ids.end(), token));
    std::size_t count = 0;
    while (count < images_.size() && left >= images_[count].grid.tokens())
      left -= images_[count++].grid.tokens();
    return count;
  }

  void say_figures(const runtime::Generation& made) const {
    if (settings_.quiet) return;
    const double speed = made.decode_s > 0 ? static_cast<double>(made.tokens.size()) / made.decode_s : 0;
    say(format("[{}; {} tokens at {:.1f}/s; {} of {} positions]", runtime::to_string(made.finish),
               made.tokens.size(), speed, session_->position(), session_->capacity()));
  }

  const Options& options_;
  Workbench bench_;
  const RunSettings& settings_;
  runtime::Stop stop_;
  std::optional<tokenizer::Tokenizer> tokenizer_;
  std::optional<runtime::Sampler> sampler_;
  std::unique_ptr<runtime::Assembly> assembly_;
  std::unique_ptr<runtime::Session> session_;
  std::unique_ptr<runtime::VisionEncoder> encoder_;
  std::vector<tokenizer::Message> messages_;
  std::vector<runtime::ImageRows> images_;  // of all messages, in order, the pending ones last
  std::size_t pending_images_ = 0;          // for the next message
  std::vector<std::int32_t> seen_;          // the tokens in the session
};

}  // namespace

Result<int> chat(const Options& options, Workbench bench, const RunSettings& settings) {
  Chat chat(options, std::move(bench), settings);
  BELAY_TRY(chat.load());
  return chat.converse();
}

}  // namespace belay::host
